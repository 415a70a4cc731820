# Style, script and icon of the page on the admin port, as arrays in the program.
set(HEADLESS_PAGE_SOURCES)
foreach(name css js svg)
    set(input ${PROJECT_SOURCE_DIR}/src/admin/page/page.${name})
    set(output ${CMAKE_BINARY_DIR}/page_${name}.c)
    add_custom_command(OUTPUT ${output}
                       COMMAND ${CMAKE_COMMAND} -D INPUT=${input} -D NAME=page_${name}
                               -D OUTPUT=${output} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
                       DEPENDS ${input} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
    list(APPEND HEADLESS_PAGE_SOURCES ${output})
endforeach()
