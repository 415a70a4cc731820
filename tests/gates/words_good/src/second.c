/* Is this a question? */
static int second_add(int value)
{
    return value + 2;
}

int second(int value)
{
    return second_add(value);
}
