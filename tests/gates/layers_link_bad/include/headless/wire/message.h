/* Declared in one layer, defined in a higher one: no include shows it. */
const char *message_name(int type);
const char *message_describe(int type);
