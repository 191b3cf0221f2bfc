import { createHash, X509Certificate } from "node:crypto";
import {
  existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { StatusCodes, type StatusCode } from "node-opcua-client";
import {
  CertificatePurpose, coercePEMorDerToPrivateKey, createSelfSignedCertificate, generateKeyPair,
  privateKeyToPEM,
} from "node-opcua-crypto";
import { Fault } from "../../base.ts";

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

export const certificatePath = (directory: string): string => join(directory, certificate_file);

/** What the library asks of its own key and certificate. */
export interface Identity {
  readonly uri: string;
  getCertificate(): Buffer;
  getCertificateChain(): Buffer[];
  getPrivateKey(): ReturnType<typeof coercePEMorDerToPrivateKey>;
}

/** Our own certificate; made at the first start. */
export async function ownIdentity(directory: string): Promise<Identity> {
  const path = certificatePath(directory);
  if (!existsSync(path)) await makeIdentity(directory);
  const certificate = readFileSync(path);
  const key = coercePEMorDerToPrivateKey(readFileSync(join(directory, key_file), "utf8"));
  const { subjectAltName } = new X509Certificate(certificate);
  const uri = /URI:([^\s,]+)/.exec(subjectAltName ?? "")?.[1] ?? "";
  return {
    uri, getCertificate: () => certificate, getCertificateChain: () => [certificate],
    getPrivateKey: () => key,
  };
}

async function makeIdentity(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { privateKey } = await generateKeyPair(2048);
  const { privPem } = await privateKeyToPEM(privateKey);
  const { der } = await createSelfSignedCertificate({
    privateKey, purpose: CertificatePurpose.ForApplication, subject: `/CN=tagwerk@${hostname()}`,
    applicationUri: `urn:${hostname()}:tagwerk`, dns: [hostname()], validity: valid_days,
  });
  // The key first: a certificate that stands there has one.
  writeFileSync(join(directory, key_file), privPem, { mode: 0o600 });
  const unfinished = `${certificatePath(directory)}.new`;
  writeFileSync(unfinished, Buffer.from(der.rawData));
  renameSync(unfinished, certificatePath(directory));
}

const fingerprintOf = (certificate: Buffer): string =>
  createHash("sha256").update(certificate).digest("hex");

/** What a person compares with what the server shows of itself. */
export function describe(certificate: Buffer): string {
  const { subject, validTo, fingerprint } = new X509Certificate(certificate);
  const name = subject.replaceAll("\n", ", ");
  return `${name}, valid until ${validTo}, SHA-1 ${fingerprint.replaceAll(":", "").toLowerCase()}`;
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
    const certificate = Array.isArray(shown) ? shown[0]! : shown;
    if (this.#isTrusted(certificate)) return StatusCodes.Good;
    const fingerprint = fingerprintOf(certificate);
    this.refused = { fingerprint, text: describe(certificate) };
    const folder = join(this.#directory, "refused");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${this.#link}-${fingerprint}.der`), certificate);
    return StatusCodes.BadCertificateUntrusted;
  }

  async verifyCertificate(shown: Buffer | Buffer[]): Promise<string> {
    const certificate = Array.isArray(shown) ? shown[0]! : shown;
    return this.#isTrusted(certificate) ? "Good" : "BadCertificateUntrusted";
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

/** Trusts a certificate that the server of a link showed; the beginning of it is enough. */
export function trust(link: string, directory: string, fingerprint: string): string {
  const folder = join(directory, "refused");
  const shown = existsSync(folder) ? readdirSync(folder)
    .filter((name) => name.startsWith(`${link}-`) && name.endsWith(".der"))
    .map((name) => name.slice(link.length + 1, -".der".length)) : [];
  const wanted = fingerprint.toLowerCase().replaceAll(":", "");
  const found = shown.filter((one) => wanted.length >= 8 && one.startsWith(wanted));
  if (found.length !== 1) {
    const known = shown.length === 0 ? "the server of this link has shown none that was refused"
      : `refused were ${shown.join(", ")}`;
    throw new Fault("unknown-certificate", `No certificate ${fingerprint} of ${link}: ${known}`,
      { link });
  }
  const name = `${link}-${found[0]}.der`;
  mkdirSync(join(directory, "trusted"), { recursive: true });
  renameSync(join(folder, name), join(directory, "trusted", name));
  return describe(readFileSync(join(directory, "trusted", name)));
}
