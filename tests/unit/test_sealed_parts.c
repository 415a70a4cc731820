/* The tests of test_plane_parts.c, on sealed frames. */
#define PLANE_SEALED
#include "test_plane_parts.c" // NOLINT(bugprone-suspicious-include): once more, with keys
