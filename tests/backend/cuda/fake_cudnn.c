#include "backend/cuda/fakes.h"
const fake_symbol fake_dnn_symbols[] = {{0}};
