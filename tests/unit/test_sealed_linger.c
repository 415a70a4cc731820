/* The tests of test_plane_linger.c, on sealed frames. */
#define PLANE_SEALED
#include "test_plane_linger.c" // NOLINT(bugprone-suspicious-include): once more, with keys
