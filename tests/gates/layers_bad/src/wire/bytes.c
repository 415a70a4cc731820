#include <json-c/json.h>

#include "headless/wire/bytes.h"
#include "private.h"
