#include "headless/data/high.h"
