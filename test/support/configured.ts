import type { Connector, TableType } from "../../src/connector.ts";

/** The connector as the runtime meets it: with settings that `load` has read by their schemas. */
export function configured(connector: Connector): Connector {
  return {
    type: connector.type, link: connector.link, source: connector.source, sink: connector.sink,
    ...(connector.load && { load: () => connector.load!() }),
    connect(name, settings, io) {
      const connection = connector.connect(name, connector.link?.parse(settings) ?? {}, io);
      const { source, sink } = connection;
      connection.source = (of, given, into, intake) =>
        source.call(connection, of, connector.source!.parse(given), into, intake);
      connection.sink = (of, given, from, rule) =>
        sink.call(connection, of, connector.sink!.parse(given), from, rule);
      return connection;
    },
  };
}

export function configuredTable(table: TableType): TableType {
  return { ...table, open: (given, shape) => table.open(table.settings.parse(given), shape) };
}
