# For CPack: Debian wants man pages and changelogs compressed, without time and name in them.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/man/*.[158]"
     "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/headlessd/changelog")
if(NOT pages)
    message(FATAL_ERROR "no manual page below ${CPACK_TEMPORARY_INSTALL_DIRECTORY}")
endif()
execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
