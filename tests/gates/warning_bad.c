int warning_bad(long number);

/* Loses bits without saying so: -Wconversion. */
int warning_bad(long number)
{
    int narrow = number;

    return narrow;
}
