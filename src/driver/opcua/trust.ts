import { createHash, generateKeyPair, X509Certificate } from "node:crypto";
import {
  existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { StatusCodes, type StatusCode } from "node-opcua-client";
import {
  CertificatePurpose, coercePEMorDerToPrivateKey, createSelfSignedCertificate,
  keyOperationsFromPrivateKey, pemToPrivateKey,
} from "node-opcua-crypto";
import { assert, Fault, reason } from "../../base.ts";
import type { Trusted } from "../../driver.ts";

/**
 * Certificates, in the folder of this driver below the store:
 *
 *     own.key.pem                     our private key, for its owner only
 *     own.certificate.der             what servers are to trust
 *     trusted/LINK-FINGERPRINT.der    a person said so: `tagwerk trust LINK FINGERPRINT`
 *     refused/LINK-FINGERPRINT.der    shown by the server of a link, and not trusted
 *
 * A fingerprint is the SHA-256 of the certificate: that very one is trusted, for that link.
 */
const key_file = "own.key.pem";
const certificate_file = "own.certificate.der";
const valid_days = 3650;
/** Of one link, the newest: who shows another one each time does not fill the disk. */
const refused_max = 16;

export const certificatePath = (directory: string): string => join(directory, certificate_file);

/** What the library asks of its own key and certificate. */
export interface Identity {
  readonly uri: string;
  getCertificate(): Buffer;
  getCertificateChain(): Buffer[];
  getPrivateKey(): ReturnType<typeof coercePEMorDerToPrivateKey>;
}

/** Where one is being made: the links of one gateway have one. */
const making = new Map<string, Promise<void>>();

/** Our own certificate; made at the first start. */
export async function ownIdentity(directory: string): Promise<Identity> {
  const path = certificatePath(directory);
  if (!existsSync(path)) {
    const made = making.get(directory) ?? makeIdentity(directory);
    making.set(directory, made);
    await made.finally(() => making.delete(directory));
  }
  const { certificate, key, uri } = identityIn(directory);
  return {
    uri, getCertificate: () => certificate, getCertificateChain: () => [certificate],
    getPrivateKey: () => key,
  };
}

function identityIn(directory: string) {
  try {
    const certificate = readFileSync(certificatePath(directory));
    const key = coercePEMorDerToPrivateKey(readFileSync(join(directory, key_file), "utf8"));
    const { subjectAltName } = new X509Certificate(certificate);
    return { certificate, key, uri: /URI:([^\s,]+)/.exec(subjectAltName ?? "")?.[1] ?? "" };
  } catch (thrown) {
    throw new Fault("own-certificate", `Our own certificate or its key in ${directory} cannot be ` +
      `read (${reason(thrown)}): delete ${certificate_file} there, and both are made anew; ` +
      "servers must then trust the new one", { directory });
  }
}

/** A user who has a certificate in the place of a name; a Fault if what was given is none. */
export function userKeys(certificate: string, key: string) {
  try {
    return {
      certificateData: new X509Certificate(certificate).raw,
      keyOperations: keyOperationsFromPrivateKey(coercePEMorDerToPrivateKey(key)),
    };
  } catch (thrown) {
    throw new Fault("user-certificate", "userCertificate and userKey are texts in PEM, a " +
      `certificate and its private key without a password (${reason(thrown)})`);
  }
}

async function makeIdentity(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // On a thread of its own; the library's way holds this one until it has found two primes.
  const { privateKey: privPem } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048, privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const { der } = await createSelfSignedCertificate({
    privateKey: await pemToPrivateKey(privPem), purpose: CertificatePurpose.ForApplication,
    subject: `/CN=tagwerk@${hostname()}`,
    applicationUri: `urn:${hostname()}:tagwerk`, dns: [hostname()], validity: valid_days,
  });
  // The key first: a certificate that stands there has one.
  writeFileSync(join(directory, key_file), privPem, { mode: 0o600 });
  const unfinished = `${certificatePath(directory)}.new`;
  writeFileSync(unfinished, Buffer.from(der.rawData));
  renameSync(unfinished, certificatePath(directory));
}

export const fingerprintOf = (certificate: Buffer): string =>
  createHash("sha256").update(certificate).digest("hex");

/** What a person compares with what the server shows of itself; null = it is no certificate. */
export function describe(certificate: Buffer): string | null {
  const read = readCertificate(certificate);
  if (read === null) return null;
  const { subject, validTo, fingerprint } = read;
  const name = printable(subject.replaceAll("\n", ", "));
  return `${name}, valid until ${validTo}, SHA-1 ${fingerprint.replaceAll(":", "").toLowerCase()}`;
}

/** A stranger wrote it: nothing of it may move the cursor of a terminal. */
export const printable = (text: string): string =>
  text.replace(/[^\x20-\x7e\xa0-\uffff]/g, "?");

function readCertificate(certificate: Buffer): X509Certificate | null {
  try {
    return new X509Certificate(certificate);
  } catch (thrown) {
    // The library underneath has no other way to say that bytes are none.
    assert(thrown instanceof Error, "an error says why");
    return null;
  }
}

/**
 * The trust list of one link, as the library asks for it. It trusts what a person named, and keeps
 * what it refused so that it can be named.
 */
export class TrustList {
  referenceCounter = 0;
  /** Of the certificate that was refused last; null = none was. */
  refused: { readonly fingerprint: string; readonly text: string } | null = null;
  readonly #directory: string;
  readonly #link: string;

  constructor(directory: string, link: string) {
    this.#directory = directory;
    this.#link = link;
  }

  async initialize(): Promise<void> {}

  async dispose(): Promise<void> {}

  async checkCertificate(shown: Buffer | Buffer[]): Promise<StatusCode> {
    const certificate = firstOf(shown);
    if (this.#isTrusted(certificate)) return StatusCodes.Good;
    const text = describe(certificate);
    if (text === null) return StatusCodes.BadCertificateInvalid;
    const fingerprint = fingerprintOf(certificate);
    this.refused = { fingerprint, text };
    keepRefused(this.#directory, this.#link, fingerprint, certificate);
    return StatusCodes.BadCertificateUntrusted;
  }

  async verifyCertificate(shown: Buffer | Buffer[]): Promise<string> {
    return this.#isTrusted(firstOf(shown)) ? "Good" : "BadCertificateUntrusted";
  }

  async getTrustStatus(certificate: Buffer): Promise<StatusCode> {
    return this.#isTrusted(certificate) ? StatusCodes.Good : StatusCodes.BadCertificateUntrusted;
  }

  /** Only a person trusts. */
  async trustCertificate(): Promise<void> {}

  async rejectCertificate(): Promise<void> {}

  async addIssuer(): Promise<void> {}

  async addRevocationList(): Promise<void> {}

  #isTrusted(certificate: Buffer): boolean {
    const name = `${this.#link}-${fingerprintOf(certificate)}.der`;
    return existsSync(join(this.#directory, "trusted", name));
  }
}

const none = Buffer.alloc(0);

/** A server shows its own first, and then those that vouch for it. */
const firstOf = (shown: Buffer | Buffer[]): Buffer =>
  (Array.isArray(shown) ? shown[0] ?? none : shown);

/** Fingerprints of what the server of a link showed and nobody trusted yet. */
function refusedOf(link: string, folder: string): string[] {
  if (!existsSync(folder)) return [];
  // Another link's name may begin with this one's.
  const bytes = `${link}-${"0".repeat(64)}.der`.length;
  return readdirSync(folder).filter((name) => name.length === bytes &&
    name.startsWith(`${link}-`) && name.endsWith(".der"))
    .map((name) => name.slice(link.length + 1, -".der".length));
}

function keepRefused(directory: string, link: string, fingerprint: string, shown: Buffer): void {
  const folder = join(directory, "refused");
  const pathOf = (one: string): string => join(folder, `${link}-${one}.der`);
  mkdirSync(folder, { recursive: true });
  const others = refusedOf(link, folder).filter((one) => one !== fingerprint)
    .map((one) => ({ path: pathOf(one), at: statSync(pathOf(one)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of others.slice(refused_max - 1)) unlinkSync(path);
  writeFileSync(pathOf(fingerprint), shown);
}

/** Trusts a certificate that the server of a link showed; the beginning of it is enough. */
export async function trust(
  link: string, directory: string, fingerprint: string,
): Promise<Trusted> {
  const folder = join(directory, "refused");
  const shown = refusedOf(link, folder);
  const wanted = fingerprint.toLowerCase().replaceAll(":", "");
  const found = shown.filter((one) => wanted.length >= 8 && one.startsWith(wanted));
  if (found.length !== 1) {
    const known = shown.length === 0 ? "the server of this link has shown none that was refused"
      : `refused were ${shown.join(", ")}`;
    throw new Fault("unknown-certificate", `No certificate ${fingerprint} of ${link}: ${known}`,
      { link });
  }
  const name = `${link}-${found[0]}.der`;
  const certificate = readFileSync(join(folder, name));
  const text = describe(certificate);
  if (text === null || fingerprintOf(certificate) !== found[0]) {
    throw new Fault("unknown-certificate", `${join(folder, name)} is not the certificate that ` +
      "was shown: delete it, and the next connection brings it anew", { link });
  }
  return keepTrusted(link, directory, certificate, text);
}

/** Trusts a certificate that its server has not shown yet: the first of a file, PEM or DER. */
export async function trustFile(
  link: string, directory: string, bytes: Uint8Array,
): Promise<Trusted> {
  const certificate = readCertificate(Buffer.from(bytes))?.raw;
  const text = certificate === undefined ? null : describe(certificate);
  if (certificate === undefined || text === null) {
    throw new Fault("no-certificate", "The file is no certificate: have the server's own " +
      "exported as PEM or DER, without its key", { link });
  }
  return keepTrusted(link, directory, certificate, text);
}

/** A certificate that is trusted is not a refused one any more. */
async function keepTrusted(
  link: string, directory: string, certificate: Buffer, text: string,
): Promise<Trusted> {
  const fingerprint = fingerprintOf(certificate);
  const name = `${link}-${fingerprint}.der`;
  mkdirSync(join(directory, "trusted"), { recursive: true });
  writeFileSync(join(directory, "trusted", name), certificate);
  rmSync(join(directory, "refused", name), { force: true });
  // A person takes it to the server next.
  await ownIdentity(directory);
  return { text, fingerprint, own: certificatePath(directory) };
}
