int format_good(int number);

int format_good(int number)
{
    if (number > 0)
        return 1;
    return 0;
}
