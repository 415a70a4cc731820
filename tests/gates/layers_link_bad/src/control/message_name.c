#include "headless/wire/message.h"

const char *message_name(int type)
{
    return type ? "probe" : "none";
}
