// SPDX-License-Identifier: Apache-2.0
// An Oblivious HTTP client made of parts that are not ours: `hpke` (panva) seals, its `hpke-noble` gives
// X-Wing, `bhttp-js` writes and reads Binary HTTP. Only the framing between them, RFC 9458 §4 and
// chunked-ohttp-08 §3, is written here.
//
// One JSON object a line. In: {suite, mode, config, url, method, headers, body, chunks}. Out: {request}.
// In: {response}. Out: {status, headers, body}. Binary values are hexadecimal.

import { createInterface } from "node:readline";
import { subtle } from "node:crypto";
import { BHttpDecoder, BHttpEncoder } from "bhttp-js";
import {
  AEAD_AES_128_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
} from "hpke";
import { KEM_MLKEM768_X25519 } from "@panva/hpke-noble";

const KEMS = {
  0x0020: { make: KEM_DHKEM_X25519_HKDF_SHA256, publicKeyBytes: 32 },
  0x647a: { make: KEM_MLKEM768_X25519, publicKeyBytes: 1216 },
};
const LABELS = { whole: "message/bhttp", chunked: "message/bhttp chunked" };
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const EMPTY = new Uint8Array();

const bytes = (text) => new TextEncoder().encode(text);
const join = (...parts) => new Uint8Array(Buffer.concat(parts));
const fromHex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (data) => Buffer.from(data).toString("hex");

// RFC 9458 §3.1; the config must offer HKDF-SHA256 with AES-128-GCM, which is all that we speak here.
function parseConfig(config) {
  const kemId = (config[1] << 8) | config[2];
  const size = KEMS[kemId].publicKeyBytes;
  const pairs = config.slice(3 + size + 2);
  if (toHex(pairs) !== "00010001") throw new Error("config: wanted the one pair 1, 1");
  return {
    suite: new CipherSuite(KEMS[kemId].make, KDF_HKDF_SHA256, AEAD_AES_128_GCM),
    publicKey: config.slice(3, 3 + size),
    header: join(config.slice(0, 3), pairs),
  };
}

function varint(value) {
  if (value < 64) return Uint8Array.of(value);
  if (value < 16384) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  return Uint8Array.of(0x80, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
}

// The value of a varint and the place after it; lengths here fit in 32 bits.
function readVarint(data, at) {
  const size = 1 << (data[at] >> 6);
  let value = data[at] & 0x3f;
  for (let i = 1; i < size; i++) value = value * 256 + data[at + i];
  return [value, at + size];
}

async function seal(context, mode, text, pieces) {
  if (mode === "whole") return context.Seal(text, EMPTY);
  const size = Math.max(1, Math.ceil(text.length / pieces));
  const sealed = [];
  for (let at = 0; at < text.length; at += size) {
    const chunk = await context.Seal(text.slice(at, at + size), EMPTY);
    sealed.push(varint(chunk.length), chunk);
  }
  sealed.push(varint(0), await context.Seal(EMPTY, bytes("final")));
  return join(...sealed);
}

async function responseKey(context, mode, enc, nonce) {
  const secret = await context.Export(bytes(`${LABELS[mode]} response`), KEY_BYTES);
  const input = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const derive = (info, size) =>
    subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt: join(enc, nonce), info: bytes(info) },
      input,
      size * 8,
    );
  const key = await derive("key", KEY_BYTES);
  return {
    key: await subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]),
    base: new Uint8Array(await derive("nonce", NONCE_BYTES)),
  };
}

async function open({ key, base }, counter, sealed, aad) {
  const iv = base.slice();
  new DataView(iv.buffer).setUint32(8, new DataView(iv.buffer).getUint32(8) ^ counter);
  const algorithm = { name: "AES-GCM", iv, additionalData: aad };
  return new Uint8Array(await subtle.decrypt(algorithm, key, sealed));
}

async function openResponse(context, mode, enc, response) {
  const keys = await responseKey(context, mode, enc, response.slice(0, KEY_BYTES));
  const sealed = response.slice(KEY_BYTES);
  if (mode === "whole") return open(keys, 0, sealed, EMPTY);
  const opened = [];
  for (let at = 0, counter = 0; ; counter++) {
    const [size, start] = readVarint(sealed, at);
    if (size === 0) {
      opened.push(await open(keys, counter, sealed.slice(start), bytes("final")));
      return join(...opened);
    }
    opened.push(await open(keys, counter, sealed.slice(start, start + size), EMPTY));
    at = start + size;
  }
}

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const receive = async () => JSON.parse((await lines.next()).value);
const send = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const asked = await receive();
const { suite, publicKey, header } = parseConfig(fromHex(asked.config));
const info = join(bytes(`${LABELS[asked.mode]} request`), Uint8Array.of(0), header);
const key = await suite.DeserializePublicKey(publicKey);
const { encapsulatedSecret, ctx } = await suite.SetupSender(key, { info });
const request = new Request(asked.url, {
  method: asked.method,
  headers: asked.headers,
  body: asked.method === "GET" ? undefined : fromHex(asked.body),
});
const text = await new BHttpEncoder().encodeRequest(request);
const sealed = await seal(ctx, asked.mode, text, asked.chunks);
send({ request: toHex(join(header, encapsulatedSecret, sealed)) });

const answer = await receive();
const opened = await openResponse(ctx, asked.mode, encapsulatedSecret, fromHex(answer.response));
const response = new BHttpDecoder().decodeResponse(opened);
send({
  status: response.status,
  headers: [...response.headers],
  body: toHex(new Uint8Array(await response.arrayBuffer())),
});
input.close();
