int sample_wire(int x)
{
    return x ? 1 : 2;
}
