/*
 * Something of each: a buffer, a call that can be fortified, a frame of several pages. Good with the
 * flags of cmake/hardening.cmake; scripts/check-gates takes them away one by one.
 */
#include <stdio.h>

int hardening_copy(int size);

#ifdef WRITABLE_CODE /* a segment that can be written and run */
__attribute__((section(".patch,\"awx\",@progbits#"))) int patch = 1;
#endif

int hardening_copy(int size)
{
    char copy[16384];

    return fgets(copy, size, stdin) && puts(copy) >= 0;
}

int main(int argc, char *argv[])
{
    (void)argv;
    return hardening_copy(argc);
}
