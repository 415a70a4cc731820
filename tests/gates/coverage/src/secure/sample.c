int sample_secure(int x)
{
    return x ? 1 : 2;
}
