/* What adds one. */
static int first_add(int value)
{
    return value + 1;
}

int first(int value)
{
    return first_add(value);
}
