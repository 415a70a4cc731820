# Warnings for all our files, with both compilers.
add_library(headless_flags INTERFACE)
target_compile_options(headless_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wcast-qual -Wformat=2 -Wnull-dereference -Wimplicit-fallthrough
    -Wundef -Wpointer-arith)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
    # A plain = on an atomic is an accidental sequentially consistent store: name the memory order.
    target_compile_options(headless_flags INTERFACE -Watomic-implicit-seq-cst)
endif()
if(HEADLESS_WERROR)
    target_compile_options(headless_flags INTERFACE -Werror)
endif()
