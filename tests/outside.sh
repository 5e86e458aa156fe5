#!/usr/bin/env bash
# Ops from shared objects: tests/outside.sh SEMBED [C_COMPILER]. Compiles tests/outside.c against
# the headers alone, as it is and with every mistake that a person could make in it, and has
# tests/lua/outside.lua load the results.
set -eu
sembed=$(realpath "$1") compiler=${2:-cc}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build NAME [flags]
build() {
    "$compiler" -std=c11 -shared -fPIC -O1 -Icore tests/outside.c -o "$work/$1.so" "${@:2}"
}

build good -Wall -Wextra -pedantic -Werror
build good_again -DCHANGE='.name = "fresh"' -DSECOND='.name = "fresh_pair"' -Wno-override-init
build version -DVERSION=SE_OP_VERSION+1 -DSIZE=1000 -DUNKNOWN_CALL
build size -DVERSION=SE_OP_VERSION -DSIZE=1000
build unknown_op -DUNKNOWN_OP
build unknown_call -DUNKNOWN_CALL
build nothing -DNOTHING
echo 'not a shared object at all, only some lines of text that end somewhere' >"$work/text.so"

# Each line: what the message must say, then the field that is wrong.
while IFS='|' read -r said change; do
    [ -n "$said" ] || continue
    count=$((${count:-0} + 1))
    build "wrong_$count" -w -DCHANGE="$change"
    echo "$said" >"$work/wrong_$count.txt"
done <<'LIST'
op 1 has no name|.name = NULL
My op: a name must be small letters|.name = "My op"
softmax: is an op already: exp(x) / sum(exp(x))|.name = "softmax"
twofold_pair: comes twice in the file|.name = "twofold_pair"
se.train is there already|.name = "train"
tensors have a method shape already|.name = "shape"
twofold: .doc must be one line|.doc = "two\nlines"
twofold: .doc must be one line|.doc = NULL
twofold: .args is missing|.args = NULL
twofold: args cannot be read at ":axis"|.args = "x :axis"
twofold: args cannot be read at "axis:axis=-1,"|.args = "x axis:axis=-1,"
twofold: args cannot be read at "{0"|.args = "x axes:axes={0"
twofold: args cannot be read at "1"|.args = "x axes:axes=1"
twofold: args cannot be read at "1.5"|.args = "x n:int=1.5"
twofold: args cannot be read at "yes"|.args = "x keep:bool=yes"
twofold: args cannot be read at "f16"|.args = "x kind:dtype=f16"
twofold: args: more than 6 numbers|.args = "x axes:axes={0,1,2,3,4,5,6}"
twofold: args: n: unknown kind "integer"|.args = "x n:integer=1"
twofold: args: tensors come first, then attributes: "x" came|.args = "n:int=1 x"
twofold: args: the tensor with a * must be the last: "y" came|.args = "xs* y"
twofold: args: y comes after a tensor that may be left out|.args = "x? y"
twofold: args: "x" comes twice|.args = "x x"
twofold: args: "x" comes twice|.args = "x x:int"
twofold: args: "a_name_that_has_24_letters" is longer than 23|.args = "a_name_that_has_24_letters"
twofold: args: more than 8 attributes|.args = "a:int b:int c:int d:int e:int f:int g:int h:int i:int"
twofold: .shape is missing|.shape = NULL
twofold: neither a kernel (.cpu_rows or .cpu) nor .expand is given|.cpu_rows = {{NULL}}
twofold: a kernel for every machine, level[SE_LEVEL_PORTABLE], is missing|.cpu_rows = {{twice_f64}}
twofold: .split is 7|.split = (se_split)7
twofold: .n_out is 5, 1 to 4 are wanted|.n_out = 5
twofold: .outs names 0 outputs, .n_out says 2|.n_out = 2
twofold: .outs names 2 outputs, .n_out says 1|.outs = "y z"
twofold: .alias is set, but there is no input|.args = "", .alias = true
twofold: .texts is 2, there are 1 inputs|.texts = 2
twofold: .inplace is 0x2, there are 1 inputs|.inplace = 2
twofold: .overwrites[0] is 2, there are 1 inputs and 1 outputs|.overwrites = {2}
twofold: .overwrites[1] is 1, there are 1 inputs and 1 outputs|.overwrites = {0, 1}
LIST
[ "$count" -ge 37 ]

# Promises that are broken when the op is used.
build empty -w -DCHANGE='.name = "no_shape", .shape = no_shape' -DSECOND='.name = "empty"' -DBROKEN_EXPAND=
build sizes -w -DCHANGE='.name = "flat_grad", .grad = flat_grad' -DSECOND='.name = "sizes"' \
    -DBROKEN_EXPAND='g->y[1] = g->y[0] = se_number(b, 1)'
build unnamed -w -DCHANGE='.name = "other_name"' -DSECOND='.name = "uses_unnamed"' \
    -DBROKEN_EXPAND='g->y[1] = g->y[0] = OP1(b, unnamed, g->x[0])'
nulls='se_ref n = OP1(b, unnamed, g->x[0]), none = se_ref_input(n, 0); se_ref_attr(n);'
nulls+='g->y[1] = g->y[0] = se_add_grads(b, se_zeros(b, se_ref_type(n)), se_sum_to(b, none, NULL))'
build nulls -w -DCHANGE='.name = "another_name"' -DSECOND='.name = "nulls"' -DBROKEN_EXPAND="$nulls"
build unexpanded -w -DCHANGE='.name = "yet_another"' -DSECOND='.name = "unexpanded"' \
    -DBROKEN_EXPAND='se_op_expanded(b, &unnamed, 0, 1, g->x, g->y)'

# For se.op.check: one that is right, and what it must find.
check() {
    build "$1" -w -DCHECKS -DCHANGE=".name = \"$1\", $2" -DSECOND=".name = \"$1_pair\""
}
check right '.grad = right_grad'
check wrong_grad '.grad = wrong_grad'
check crowd '.cpu_rows = {{twice_f64, crowd}}'
check calls '.cpu_rows = {{twice_f64, calls}}'
check only_float '.grad = right_grad, .cpu_rows = {{NULL, twice_f32}}'
check other '.expand = thrice'
"$sembed" tests/lua/outside.lua folder="$work" wrong="$count"
