#include "headless/wire/bytes.h"
#include "private.h"
