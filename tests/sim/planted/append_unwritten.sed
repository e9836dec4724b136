# scheduler/append.c: appends behind the first are not written
/^static void take/,/^}/s/    if (ev->stored)/    if (ev->stored || ev->at)/
