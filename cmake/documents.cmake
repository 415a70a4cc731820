# Documents that headless-document generates from the programs' tables: man pages from docs/man,
# completion for bash, the schema for editors; and the unit file.
set(documents ${CMAKE_BINARY_DIR}/documents)
set(made)

# make_document(OUTPUT INPUT ARGUMENT...): INPUT may be ""
function(make_document output input)
    get_filename_component(directory ${documents}/${output} DIRECTORY)
    file(MAKE_DIRECTORY ${directory})
    set(from)
    if(input)
        set(from < ${input})
    endif()
    add_custom_command(OUTPUT ${documents}/${output}
                       COMMAND headless-document ${ARGN} ${from} > ${documents}/${output}
                       DEPENDS headless-document ${input} VERBATIM)
    set(made ${made} ${documents}/${output} PARENT_SCOPE)
endfunction()

foreach(page headlessd.8 headlessd.yaml.5 headlessctl.1 headless-bench.1)
    string(REGEX REPLACE "[.].*" "" program ${page})
    string(REGEX REPLACE ".*[.]" "" section ${page})
    make_document(${page} ${PROJECT_SOURCE_DIR}/docs/man/${page}.in man ${program})
    install(FILES ${documents}/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

foreach(program headlessd headlessctl headless-bench)
    make_document(bash/${program} "" bash ${program})
    install(FILES ${documents}/bash/${program}
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()

make_document(headlessd.schema.json "" schema)
install(FILES ${documents}/headlessd.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/headlessd)
add_custom_target(documents ALL DEPENDS ${made})

configure_file(manifests/systemd/headlessd.service.in ${documents}/headlessd.service @ONLY)
install(FILES ${documents}/headlessd.service DESTINATION lib/systemd/system)
install(FILES scripts/package/headlessd.yaml
        DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/headlessd)
