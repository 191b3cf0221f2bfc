import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DataType, OPCUACertificateManager, OPCUAServer, SecurityPolicy, MessageSecurityMode,
  StatusCodes, Variant, VariantArrayType, type Namespace, type UAVariable,
} from "node-opcua";

/** A real server: node-opcua's, with what a test asks for. */
export interface TestServer {
  readonly port: number;
  readonly url: string;
  readonly namespace: Namespace;
  readonly server: OPCUAServer;
  /** A variable at `ns=1;s=NAME`. */
  variable(name: string, dataType: DataType, value: unknown): UAVariable;
  set(variable: UAVariable, dataType: DataType, value: unknown): void;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly port: number;
  /** Where its certificates are; the same folder is the same server. */
  readonly pki?: string;
  readonly user?: { readonly name: string; readonly password: string };
  /** DER: who shows this certificate as a user, and has its key, is let in. */
  readonly userCertificate?: Buffer;
}

export async function startServer(options: TestServerOptions): Promise<TestServer> {
  const { port, user } = options;
  const rootFolder = options.pki ?? join(tmpdir(), `tagwerk-opcua-server-${port}`);
  const serverCertificateManager = new OPCUACertificateManager({
    rootFolder, automaticallyAcceptUnknownCertificate: true, disableFileWatchers: true,
  });
  const userCertificateManager = new OPCUACertificateManager({
    rootFolder: `${rootFolder}-users`, automaticallyAcceptUnknownCertificate: false,
    disableFileWatchers: true,
  });
  if (options.userCertificate !== undefined) {
    await userCertificateManager.initialize();
    await userCertificateManager.trustCertificate(options.userCertificate);
  }
  const server = new OPCUAServer({
    port, hostname: "127.0.0.1", alternateHostname: ["localhost"], resourcePath: "",
    serverCertificateManager, userCertificateManager,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign,
      MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: user === undefined,
    ...(user === undefined ? {} : { userManager: {
      isValidUser: (name: string, password: string) =>
        name === user.name && password === user.password,
    } }),
    serverCapabilities: { maxSessions: 20, operationLimits: { maxMonitoredItemsPerCall: 1000 } },
  });
  await server.initialize();
  const namespace = server.engine.addressSpace!.getOwnNamespace();
  const folder = namespace.addObject({
    organizedBy: server.engine.addressSpace!.rootFolder.objects, browseName: "Plant",
    nodeId: "s=Plant",
  });
  await server.start();
  const variantOf = (dataType: DataType, value: unknown): Variant =>
    new Variant({ dataType, value,
      arrayType: Array.isArray(value) && dataType !== DataType.Int64 && dataType !== DataType.UInt64
        ? VariantArrayType.Array : VariantArrayType.Scalar });
  return {
    port, namespace, server, url: `opc.tcp://127.0.0.1:${port}`,
    variable: (name, dataType, value) => {
      const variable = namespace.addVariable({
        componentOf: folder, browseName: name, nodeId: `s=${name}`, dataType,
        ...(Array.isArray(value) && dataType !== DataType.Int64 && dataType !== DataType.UInt64
          ? { valueRank: 1, arrayDimensions: [value.length] } : {}),
        minimumSamplingInterval: 0,
      });
      variable.setValueFromSource(variantOf(dataType, value), StatusCodes.Good);
      return variable;
    },
    set: (variable, dataType, value) =>
      variable.setValueFromSource(variantOf(dataType, value), StatusCodes.Good),
    stop: () => server.shutdown(100),
  };
}
