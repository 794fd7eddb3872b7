// The user's side: signs which values may be re-encrypted to its key, and opens what the parties send.
'use strict';
const { Wallet } = require('ethers');
const kms = require('node-tkms');

const hex = (bytes) => '0x' + Buffer.from(bytes).toString('hex');
const TYPES = {
  UserDecryptionAuthorization: [
    { name: 'publicKey', type: 'bytes' },
    { name: 'handles', type: 'bytes32[]' },
    { name: 'application', type: 'string' },
    { name: 'chainId', type: 'string' },
    { name: 'expiresAtHeight', type: 'uint64' },
  ],
};

class User {
  constructor(settings) {
    this.settings = settings;
    this.wallet = new Wallet(settings.user_secret);
    this.secret = kms.ml_kem_pke_keygen();
    this.publicKey = kms.ml_kem_pke_pk_to_u8vec(kms.ml_kem_pke_get_pk(this.secret));
  }

  // Fields of RequestUserDecryption that are the user's.
  async authorization(handle, expiresAtHeight) {
    const { domain, application, chain_id: chainId } = this.settings;
    const message = { publicKey: hex(this.publicKey), handles: [handle], application, chainId, expiresAtHeight };
    const signature = await this.wallet.signTypedData(domain, TYPES, message);
    return {
      user: Buffer.from(this.wallet.address.slice(2), 'hex'),
      userPublicKey: Buffer.from(this.publicKey),
      authorizationExpiresAtHeight: expiresAtHeight,
      userSignature: Buffer.from(signature.slice(2), 'hex'),
    };
  }

  // Value of one handle, in decimal; throws where too few parties signed shares that fit together.
  open(handle, answers) {
    const { domain, parties } = this.settings;
    const servers = parties.map((address, index) => kms.new_server_id_addr(index + 1, address));
    const client = kms.new_client(servers, this.wallet.address, 'default');
    const asked = {
      signature: '00'.repeat(65),
      client_address: this.wallet.address,
      enc_key: hex(this.publicKey).slice(2),
      ciphertext_handles: [handle.slice(2)],
      eip712_verifying_contract: domain.verifyingContract,
    };
    const word = Array.from(Buffer.from(BigInt(domain.chainId).toString(16).padStart(64, '0'), 'hex'));
    const place = { name: domain.name, version: domain.version, chain_id: word, verifying_contract: domain.verifyingContract, salt: null };
    const responses = answers.map(({ signature, userDecryption }) => (
      { signature: hex(signature).slice(2), payload: hex(userDecryption.payload).slice(2), extra_data: null }));
    const key = kms.ml_kem_pke_get_pk(this.secret);
    const [opened] = kms.process_user_decryption_resp_from_js(client, asked, place, responses, key, this.secret, true);
    return String(BigInt(hex(opened.bytes)));
  }
}

module.exports = { User, hex };
