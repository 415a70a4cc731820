#include "headless/wire/bytes.h"
