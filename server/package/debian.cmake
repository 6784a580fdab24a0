# Debian packages, one a component: `cpack` in the build of the preset "package", or ./dev package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME soma)
set(CPACK_PACKAGE_VENDOR "the developers of SOMA")
set(CPACK_PACKAGE_CONTACT "the developers of SOMA <maintainers@soma.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_COMPONENTS_ALL server client library development python)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/client/lib)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME soma-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "systemd-standalone-sysusers | systemd | opensysusers")
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS "bubblewrap, soma-client")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
  "${CMAKE_CURRENT_LIST_DIR}/postinst;${CMAKE_CURRENT_LIST_DIR}/prerm;${CMAKE_CURRENT_LIST_DIR}/postrm")
set(CPACK_COMPONENT_SERVER_DESCRIPTION "server for durable jobs and vectors
 Runs people's code as durable jobs that outlive their clients and the server
 itself, and keeps records with embeddings that are searched by distance.")

set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME soma-client)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION utils)
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "command line of SOMA
 Submits, follows and cancels jobs on a SOMA server, and writes and queries
 its collections of vectors.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libsoma${SOMA_SOVERSION})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/triggers)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "client library of SOMA
 What programs use to run jobs on a SOMA server and to keep vectors there.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsoma-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libsoma${SOMA_SOVERSION} (= ${PROJECT_VERSION}), libprotobuf-c-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "client library of SOMA, for developers
 Headers, the static library, and what pkg-config and CMake want to know.")

set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-soma)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3 (>= 3.9), libsoma${SOMA_SOVERSION} (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS "python3-numpy")
set(CPACK_COMPONENT_PYTHON_DESCRIPTION "client of SOMA for Python
 Jobs as objects, and collections of vectors with the methods of Chroma's,
 on a SOMA server.")
include(CPack)
