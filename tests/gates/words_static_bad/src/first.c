/* Adds one. */
static int add(int value)
{
    return value + 1;
}

int first(int value)
{
    return add(value);
}
