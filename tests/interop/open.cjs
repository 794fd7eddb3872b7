// A third-party client: node-tkms as its users call it. Reads one JSON command on standard input, prints one JSON answer.
//   {"command": "keygen"} -> {"public_key": hex, "secret_key": hex}
//   {"command": "open", "secret_key", "parties": [address], "user", "request", "domain", "responses"} -> [{"type", "value"}]
'use strict';
const kms = require('node-tkms');

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));

function keygen() {
  const secret = kms.ml_kem_pke_keygen();
  const publicKey = kms.ml_kem_pke_pk_to_u8vec(kms.ml_kem_pke_get_pk(secret));
  return { public_key: hex(publicKey), secret_key: hex(kms.ml_kem_pke_sk_to_u8vec(secret)) };
}

function open(input) {
  const servers = input.parties.map((address, index) => kms.new_server_id_addr(index + 1, address));
  const client = kms.new_client(servers, input.user, 'default');
  const secret = kms.u8vec_to_ml_kem_pke_sk(unhex(input.secret_key));
  const domain = { ...input.domain, chain_id: Array.from(unhex(input.domain.chain_id)), salt: null };
  const opened = kms.process_user_decryption_resp_from_js(
    client, input.request, domain, input.responses, kms.ml_kem_pke_get_pk(secret), secret, true,
  );
  return opened.map((plaintext) => ({ type: plaintext.fhe_type, value: hex(plaintext.bytes) }));
}

const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
try {
  process.stdout.write(JSON.stringify(input.command === 'keygen' ? keygen() : open(input)));
} catch (error) {
  process.stderr.write(String(error) + '\n');
  process.exitCode = 1;
}
