#!/usr/bin/env bash
# A public decryption from the command line: public.sh RELAY APPLICATION HANDLE (64 hexadecimal digits). Needs buf and python3.
set -euo pipefail
relay=$1 application=$2 handle=$(printf %s "${3#0x}" | python3 -c 'import base64, sys; print(base64.b64encode(bytes.fromhex(sys.stdin.read())).decode())')

call() { # METHOD JSON
  buf curl --protocol grpc --http2-prior-knowledge --data "$2" "http://$relay/tkms.gateway.v1.GatewayService/$1"
}
field() { # NAME.NAME of the JSON on standard input
  python3 -c 'import functools, json, sys; found = functools.reduce(lambda d, k: d[k], sys.argv[1].split("."), json.load(sys.stdin)); print(found if isinstance(found, str) else json.dumps(found))' "$1"
}

ciphertext=$(call GetHandle "{\"application\": \"$application\", \"handle\": \"$handle\"}" | field handle.ciphertext)
key=$(printf %s "$ciphertext" | field keyId)
# The nonce makes the call safe to repeat.
nonce=$(printf %s "$application $handle" | sha256sum | head -c 32 | python3 -c 'import base64, sys; print(base64.b64encode(bytes.fromhex(sys.stdin.read())).decode())')
request=$(call Submit "{\"nonce\": \"$nonce\", \"publicDecryption\": {\"application\": \"$application\", \"keyId\": \"$key\", \"ciphertexts\": [$ciphertext]}}" | field submission.requestId)
call WaitRequest "{\"requestId\": \"$request\", \"timeout\": \"60s\", \"includeResult\": true}" | field result.answers
