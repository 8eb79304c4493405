"""What pictures in memory express, by Python's standard library alone:   predict.py LIBRARY MODEL WIDTH HEIGHT < pictures.rgb"""
import ctypes
import sys

mien, pixels, (width, height) = ctypes.CDLL(sys.argv[1]), sys.stdin.buffer.read(), map(int, sys.argv[3:])
mien.mien_error.restype = ctypes.c_char_p
model, session = ctypes.c_void_p(), ctypes.c_void_p()
paths, count = (ctypes.c_char_p * 1)(sys.argv[2].encode()), len(pixels) // (3 * width * height)
if mien.mien_model_open(ctypes.byref(model), paths, 1, None) or mien.mien_session_open(ctypes.byref(session), model, None):
    sys.exit(mien.mien_error().decode())
columns = mien.mien_model_column_count(model)
rows = (ctypes.c_float * (count * columns))()
if mien.mien_predict_rgb(rows, ctypes.c_size_t(len(rows)), session, pixels, ctypes.c_int64(count), height, width):
    sys.exit(mien.mien_error().decode())
for i in range(count):
    print(*rows[i * columns:(i + 1) * columns])
