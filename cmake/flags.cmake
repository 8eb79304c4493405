# mien_flags: what every file of ours is compiled with.
add_library(mien_flags INTERFACE)
set(c_flags -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Wno-sign-conversion
            -fno-semantic-interposition -ffp-contract=off)
if(MIEN_WERROR)
  list(APPEND c_flags -Werror)
endif()
target_compile_options(mien_flags INTERFACE "$<$<COMPILE_LANGUAGE:C>:${c_flags}>")
if(MIEN_SANITIZE)
  target_compile_options(mien_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(mien_flags INTERFACE -fsanitize=address,undefined)
endif()
if(MIEN_TSAN)
  target_compile_options(mien_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer -Wno-unknown-pragmas)
  target_link_options(mien_flags INTERFACE -fsanitize=thread)
endif()
