/* The tests of test_plane_confirm.c, on sealed frames. */
#define PLANE_SEALED
#include "test_plane_confirm.c" // NOLINT(bugprone-suspicious-include): once more, with keys
