/* Is this a question? */
static int add(int value)
{
    return value + 2;
}

int second(int value)
{
    return add(value);
}
