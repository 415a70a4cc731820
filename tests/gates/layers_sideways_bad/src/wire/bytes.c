#include "headless/wire/bytes.h"
#include "private.h"
#include "headless/net/udp.h"
