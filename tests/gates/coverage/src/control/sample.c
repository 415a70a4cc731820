int sample_control(int x)
{
    return x ? 1 : 2;
}
