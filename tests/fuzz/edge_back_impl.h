// Between the files of edge_back.h.
#pragma once

#include <stddef.h>

void edge_back_questions_end(void);
size_t edge_back_question_bytes(void);
