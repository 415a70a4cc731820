#include "headless/wire/message.h"

const char *message_describe(int type)
{
    return message_name(type);
}
