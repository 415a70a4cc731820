#include "headless/wire/bytes.h"
#include "private.h"
#include <sys/socket.h>
