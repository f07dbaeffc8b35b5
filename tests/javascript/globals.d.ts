// What other scripts bring: htmx, as far as it is used here, and the events of htmx and of the server.

interface HtmxOptions {
  source?: Element | string;
  target?: Element | string;
  swap?: string;
  values?: Record<string, unknown>;
}

declare const htmx: {
  config: { historyCacheSize: number };
  ajax(verb: "GET" | "POST", path: string, options: HtmxOptions): Promise<void>;
};
