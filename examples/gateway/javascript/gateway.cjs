// A gateway in JavaScript: one public and one user decryption through a relay, verified here.
//   node gateway.cjs gateway.json
// The relay pays, carries and may die at any moment; only the parties' addresses in the settings are believed.
'use strict';
const path = require('path');
const { createHash } = require('crypto');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { verifyTypedData } = require('ethers');
const { User, hex } = require('./wallet.cjs');

const settings = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const schema = loader.loadSync('tkms/gateway/v1/gateway.proto', {
  includeDirs: [path.join(__dirname, '../../../proto')], enums: String, longs: String, defaults: true,
});
const { GatewayService } = grpc.loadPackageDefinition(schema).tkms.gateway.v1;
const relay = new GatewayService(settings.relay, grpc.credentials.createInsecure());
const say = (value) => console.log(JSON.stringify(value));

// One call, repeated while it fails only for now: the nonce makes that safe.
async function ask(method, request) {
  for (;;) {
    try {
      return await new Promise((resolve, reject) =>
        relay[method](request, (error, answer) => (error ? reject(error) : resolve(answer))));
    } catch (error) {
      if (![grpc.status.UNAVAILABLE, grpc.status.RESOURCE_EXHAUSTED].includes(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

// Submit and wait, however often the relay goes away meanwhile; the parties' answers.
async function answered(kind, request) {
  const nonce = createHash('sha256').update(`${settings.name} ${kind}`).digest().subarray(0, 16);
  const { submission: { requestId } } = await ask('submit', { nonce, [kind]: request });
  say({ submitted: requestId.toString('hex') });
  for (;;) {
    const wait = { requestId, timeout: { seconds: 20 }, includeResult: true };
    const { request: { state }, reached, result } = await ask('waitRequest', wait);
    if (result) return result.answers.map((answer) => answer.fulfil).filter(Boolean);
    if (reached && state !== 'REQUEST_STATE_FULFILLED') throw new Error(`no answer: ${state}`);
  }
}

// The result that more parties have signed than can be corrupt.
function agreed(handles, answers) {
  const types = { PublicDecryptVerification: [{ name: 'ctHandles', type: 'bytes32[]' },
    { name: 'decryptedResult', type: 'bytes' }, { name: 'extraData', type: 'bytes' }] };
  const signers = {};
  for (const { publicDecryption: { decryptedResult }, signature } of answers) {
    const message = { ctHandles: handles, decryptedResult: hex(decryptedResult), extraData: '0x' };
    const signer = verifyTypedData(settings.domain, types, message, hex(signature));
    if (settings.parties.includes(signer)) (signers[message.decryptedResult] ??= new Set()).add(signer);
  }
  const found = Object.keys(signers).find((result) => signers[result].size > settings.threshold);
  if (!found) throw new Error('too few parties signed one result');
  return found;
}

async function main() {
  const { application, handle } = settings;
  const user = new User(settings);
  const named = { application, handle: Buffer.from(handle.slice(2), 'hex') };
  const { handle: { ciphertext } } = await ask('getHandle', named);
  const request = { application, keyId: ciphertext.keyId, ciphertexts: [ciphertext] };
  const result = agreed([handle], await answered('publicDecryption', request));
  say({ publicDecryption: String(BigInt(result)) }); // as text: values have up to 256 bits
  // The relay's word: a later height lets it ask again for these values, which only the user's key opens.
  const { height } = await ask('getChainInfo', {});
  const authorization = await user.authorization(handle, Number(height) + 1000);
  const answers = await answered('userDecryption', { ...request, ...authorization });
  say({ userDecryption: user.open(handle, answers) });
  relay.close();
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
