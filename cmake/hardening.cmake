# Hardening flags of the shipped binaries, and the sanitizers that replace them in tests.
if(HEADLESS_SANITIZE STREQUAL "none")
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        target_compile_options(headless_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    endif()
    target_compile_options(headless_flags INTERFACE -fstack-protector-strong
                           -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
        target_compile_options(headless_flags INTERFACE -fcf-protection=full)
    endif()
    target_link_options(headless_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
elseif(HEADLESS_SANITIZE STREQUAL "address")
    target_compile_options(headless_flags INTERFACE -fsanitize=address,undefined
                           -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(headless_flags INTERFACE -fsanitize=address,undefined)
elseif(HEADLESS_SANITIZE STREQUAL "thread")
    target_compile_options(headless_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(headless_flags INTERFACE -fsanitize=thread)
elseif(HEADLESS_SANITIZE STREQUAL "fuzzer")
    target_compile_options(headless_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
                           -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(headless_flags INTERFACE -fsanitize=address,undefined)
elseif(HEADLESS_SANITIZE STREQUAL "coverage")
    # The counters are in a file that is mapped at the start: they survive SIGKILL, and a process
    # that may no longer open files need not write them at its end.
    target_compile_options(headless_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping
                           "SHELL:-mllvm -runtime-counter-relocation")
    target_link_options(headless_flags INTERFACE -fprofile-instr-generate)
else()
    message(FATAL_ERROR "HEADLESS_SANITIZE=${HEADLESS_SANITIZE}: none, address, thread, fuzzer or "
            "coverage")
endif()
