# A file as an array of bytes:  cmake -D INPUT=page.css -D NAME=page_css -D OUTPUT=page_css.c -P embed.cmake
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"admin/page.h\"

const unsigned char ${NAME}[] = {
    ${bytes}
};
const size_t ${NAME}_length = ${length};
")
