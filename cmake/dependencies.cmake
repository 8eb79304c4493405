# mien_deps: every library that is not ours (docs/dependencies.md says why each is here).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(jpeg REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(spng REQUIRED IMPORTED_TARGET spng)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(protobuf_c REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(protoc_c NAMES protoc-c REQUIRED)

# oneDNN 3.1 or newer from the system, else the wheels that tools/setup unpacked into build/deps/onednn.
find_package(dnnl 3.1 QUIET CONFIG)
if(NOT dnnl_FOUND)
  set(onednn_root ${CMAKE_SOURCE_DIR}/build/deps/onednn CACHE PATH "unpacked oneDNN wheels (tools/setup)")
  find_path(onednn_include oneapi/dnnl/dnnl.h PATHS ${onednn_root}/include NO_DEFAULT_PATH)
  find_library(onednn_library NAMES libdnnl.so.3 PATHS ${onednn_root}/lib NO_DEFAULT_PATH)
  if(NOT onednn_include OR NOT onednn_library)
    message(FATAL_ERROR "oneDNN 3 not found: run tools/setup first (it unpacks it into build/deps/onednn)")
  endif()
  add_library(DNNL::dnnl SHARED IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${onednn_library}
                        INTERFACE_INCLUDE_DIRECTORIES ${onednn_include})
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT MIEN_TSAN)
  find_package(OpenMP REQUIRED)
  set(openmp OpenMP::OpenMP_C)
endif()

add_library(mien_deps INTERFACE)
target_link_libraries(mien_deps INTERFACE DNNL::dnnl PkgConfig::jansson PkgConfig::yaml PkgConfig::jpeg PkgConfig::spng
                      PkgConfig::webp PkgConfig::zlib PkgConfig::libzip PkgConfig::protobuf_c ${openmp} Threads::Threads m)
