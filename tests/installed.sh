#!/usr/bin/env bash
# The installed tree, moved after it was installed: tests/installed.sh BUILD_FOLDER [C_COMPILER]
# A program is compiled with what pkg-config says and must give the bytes that `sembed encode` gives;
# headers are read as C and as C++; the library exports nothing but se_*; recipes and man page are
# where they should be.
set -eu
build=$(realpath "$1") compiler=${2:-cc}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

DESTDIR=$work/stage cmake --install "$build" --prefix /usr/local >"$work/said" || {
    cat "$work/said"
    exit 1
}
mv "$work/stage/usr/local" "$work/moved"
tree=$work/moved
PKG_CONFIG_PATH=$(dirname "$(find "$tree" -name sembed.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs sembed) ${EXTRA_FLAGS:-}"
library=$(find "$tree" -name libsembed.so)
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH

"$compiler" -std=c11 -Wall -Wextra -pedantic -Werror tests/example_encode.c -o "$work/example" "${flags[@]}"
cat >"$work/lines.txt" <<'EOF'
a first text
another one, somewhat longer than the first: what is it about?

zwölf Boxkämpfer
EOF
model=tests/data/tiny-mpnet
"$work/example" "$model" <"$work/lines.txt" >"$work/example.f32"
sed 's/"/\\"/g; s/.*/{"text": "&"}/' "$work/lines.txt" >"$work/lines.jsonl"
"$tree/bin/sembed" encode model="$model" in="$work/lines.jsonl" field=text out="$work/encode.npy" 2>"$work/said"
bytes=$((4 * 64 * 4))
[ "$(stat -c %s "$work/example.f32")" = $bytes ] || {
    echo "example_encode wrote $(stat -c %s "$work/example.f32") bytes, $bytes are wanted"
    exit 1
}
tail -c $bytes "$work/encode.npy" | cmp - "$work/example.f32" || {
    echo 'example_encode and sembed encode differ'
    exit 1
}
if "$work/example" "$work/nothing" </dev/null 2>"$work/said" || ! grep -q "$work/nothing" "$work/said"; then
    echo 'example_encode did not name the folder that is not there'
    exit 1
fi

# Opened at run time and kept to itself, as Python's ctypes and plugins do it, by a program that has LuaJIT already: the
# first line's vector again.
cat >"$work/plugin.c" <<'EOF'
#include <dlfcn.h>
#include <sembed.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    void *library = dlopen(argc > 2 ? argv[1] : NULL, RTLD_NOW | RTLD_LOCAL), *call;
    se_status (*open_model)(const char *, se_model **);
    se_status (*encode)(se_model *, int64_t, const char *const *, const size_t *, const se_encode_options *, float *,
                        int64_t *);
    void (*close_model)(se_model *);
    const char *text = "a first text";
    float vector[64];
    se_model *model;
    if (!library || !(call = dlsym(library, "se_model_open")))
        return 1;
    memcpy(&open_model, &call, sizeof call);
    if (!(call = dlsym(library, "se_model_encode")))
        return 2;
    memcpy(&encode, &call, sizeof call);
    if (!(call = dlsym(library, "se_model_close")))
        return 2;
    memcpy(&close_model, &call, sizeof call);
    if (open_model(argv[2], &model) || encode(model, 1, &text, NULL, NULL, vector, NULL))
        return 3;
    close_model(model);
    return fwrite(vector, sizeof vector, 1, stdout) == 1 ? 0 : 4;
}
EOF
read -ra headers <<<"$(pkg-config --cflags sembed) ${EXTRA_FLAGS:-}"
"$compiler" -std=c11 -Wall -Wextra -Werror "$work/plugin.c" -o "$work/plugin" "${headers[@]}" -Wl,--no-as-needed \
    -lluajit-5.1 -ldl
"$work/plugin" "$library" "$model" >"$work/plugin.f32" || { echo "opened by dlopen: failed at step $?"; exit 1; }
head -c $((64 * 4)) "$work/example.f32" | cmp - "$work/plugin.f32"

printf '#include <sembed.h>\nint main(void) { return se_model_dims(0) != 0; }\n' >"$work/user.c"
cp "$work/user.c" "$work/user.cc"
"$compiler" -std=c11 -Wall -Wextra -pedantic -Werror "$work/user.c" -o "$work/user" "${flags[@]}" && "$work/user"
if command -v c++ >/dev/null; then
    c++ -std=c++11 -Wall -Wextra -pedantic -Werror "$work/user.cc" -o "$work/user" "${flags[@]}" && "$work/user"
fi

# An op in a shared object, compiled with the installed headers alone: for the program, for a program linked to the
# library, and for one whose plugin brings the library along and keeps it to itself.
"$compiler" -std=c11 -shared -fPIC -Wall -Wextra -pedantic -Werror recipes/examples/snake.c -o "$work/snake.so" \
    "${headers[@]}" -lm
cat >"$work/ops.c" <<'EOF'
#include <math.h>
#include <op.h>
#include <sembed.h>
#include <stdio.h>
int use_op(const char *path);
int use_op(const char *path)
{
    const float x[2] = {0.5F, -1};
    const int64_t dim[1] = {2};
    se_attr a = {.f = 2};
    se_op_file *file;
    se_tensor *in, *out, *grad;
    const void *data;
    if (se_op_file_open(path, &file) || se_op_file_take(file) || se_tensor_make(SE_F32, 1, dim, x, &in) ||
        se_call(se_op_find("snake"), 1, &in, &a, "ops.c", 1, &out) || se_grad(out, 1, &in, &grad) ||
        se_tensor_data(grad, false, &data))
        return fprintf(stderr, "%s\n", se_message()), 1;
    for (int i = 0; i < 2; i++)
        if (!(fabs(((const float *)data)[i] - (1 + sin(4 * (double)x[i]))) < 1e-6))
            return 2;
    se_tensor_free(in);
    se_tensor_free(out);
    se_tensor_free(grad);
    return se_op_file_open(path, &file) == SE_ERR_ARG ? 0 : 3; /* its name is taken now */
}
EOF
cat >"$work/linked.c" <<'EOF'
int use_op(const char *path);
int main(int argc, char **argv) { return argc == 2 ? use_op(argv[1]) : 9; }
EOF
cat >"$work/opener.c" <<'EOF'
#include <dlfcn.h>
#include <string.h>
int main(int argc, char **argv)
{
    int (*use_op)(const char *);
    void *plugin = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL), *call = plugin ? dlsym(plugin, "use_op") : 0;
    memcpy(&use_op, &call, sizeof call);
    return use_op ? use_op(argv[1]) : 9;
}
EOF
"$compiler" -std=c11 -Wall -Wextra -Werror "$work/ops.c" "$work/linked.c" -o "$work/linked" "${flags[@]}" -lm
"$work/linked" "$work/snake.so" || { echo "an op for a linked program: failed at step $?"; exit 1; }
"$compiler" -std=c11 -shared -fPIC "$work/ops.c" -o "$work/ops_plugin.so" "${flags[@]}" -lm
"$compiler" -std=c11 -Wall -Wextra -Werror "$work/opener.c" -o "$work/opener" ${EXTRA_FLAGS:-} -ldl
"$work/opener" "$work/snake.so" "$work/ops_plugin.so" || { echo "an op for a plugin: failed at step $?"; exit 1; }
"$tree/bin/sembed" -e "se = require 'sembed'; se.op.load '$work/snake.so'
    assert(math.abs(se.tensor(1.5):snake(2):item() - (1.5 + math.sin(3) ^ 2 / 2)) < 1e-6)"

other=$(nm -D --defined-only "$library" | awk '$3 !~ /^se_/ { print $3 }')
[ -z "$other" ] || { echo "libsembed.so exports:" "$other"; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*libsembed\.so\.[0-9]' || { echo 'libsembed.so has no SONAME'; exit 1; }

for file in share/sembed/recipes/reddit_mpnet.lua share/sembed/recipes/data/vocab.txt share/man/man1/sembed.1 \
    share/doc/sembed/LICENSE share/doc/sembed/NOTICE; do
    [ -s "$tree/$file" ] || { echo "$file is not installed"; exit 1; }
done
cd "$work" # away from the source tree: the installed recipes must be found
echo '-- changed' >>"$tree/share/sembed/recipes/tokenize.lua"
echo 'error "the installed one"' >>"$tree/share/sembed/recipes/tokenize.lua"
"$tree/bin/sembed" tokenize model="$OLDPWD/$model" in=/dev/null >"$work/said" 2>&1 || true
grep -q 'the installed one' "$work/said" || { echo 'the installed recipe was not run:'; cat "$work/said"; exit 1; }
for name in "$tree"/share/sembed/recipes/*.lua; do
    name=$(basename "$name" .lua)
    grep -q "^\.B $name$" "$tree/share/man/man1/sembed.1" || { echo "the man page lacks the recipe $name"; exit 1; }
done
for key in $("$tree/bin/sembed" -e 'for key in pairs(require("sembed.config").engine) do print(key) end'); do
    grep -q "^\.BI $key=" "$tree/share/man/man1/sembed.1" || { echo "the man page lacks the key $key"; exit 1; }
done
if command -v groff >/dev/null; then
    groff -man -ww -Tutf8 "$tree/share/man/man1/sembed.1" 2>"$work/said" >/dev/null
    [ ! -s "$work/said" ] || { cat "$work/said"; exit 1; }
fi
echo "installed, moved and used: $(du -sh "$tree" | cut -f1)"
