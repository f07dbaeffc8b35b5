// Vercel as `emulate` plays it, on loopback alone: it has no say of its own in where it listens.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port, host: "127.0.0.1" }, ...rest.filter((one) => typeof one === "function"));
};

const { createEmulator } = await import("emulate");
const seed = { vercel: { teams: [{ slug: "acme", name: "Acme" }], projects: [{ name: "shop", team: "acme" }] } };
await createEmulator({ service: "vercel", port: Number(process.argv[2]), seed });
console.log("ready");
