# A package for Debian, by "cpack -G DEB" in a build directory that was configured with
# CMAKE_INSTALL_PREFIX=/usr (scripts/build gcc-package). dpkg-shlibdeps determines its dependencies.
set(helpers ${PROJECT_SOURCE_DIR}/scripts/package)
set(package_doc ${CMAKE_INSTALL_DATADIR}/doc/headlessd)
find_program(DATE_PROGRAM date REQUIRED)
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C TZ=UTC ${DATE_PROGRAM} -R -d "${HEADLESS_DATE}"
                OUTPUT_VARIABLE PACKAGE_DATE OUTPUT_STRIP_TRAILING_WHITESPACE)
set(PACKAGE_MAINTAINER "headlessd maintainers <maintainers@headlessd.example>" CACHE STRING
    "Who is named in the package")
configure_file(${helpers}/changelog.in ${documents}/changelog @ONLY)
install(FILES ${documents}/changelog DESTINATION ${package_doc})
install(FILES ${helpers}/copyright DESTINATION ${package_doc})

set(CPACK_PACKAGE_NAME headlessd)
set(CPACK_PACKAGE_CONTACT "${PACKAGE_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${helpers}/compress.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS libcurl4) # loaded for discovery.kubernetes only
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${helpers}/conffiles ${helpers}/postinst ${helpers}/prerm
    ${helpers}/postrm)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION # follows the first line, the project's description
    "Every machine or pod behind a service runs it. Clients send datagrams to any
of them; exactly one is the leader. The others relay their datagrams to it,
with the client's address intact, and the replies leave from the address to
which the client sent. The members elect the leader and replace a failed one
within a second.")
include(CPack)
