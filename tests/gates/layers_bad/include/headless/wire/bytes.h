#include "headless/base/low.h"
