// Infisical's Node SDK, unmodified, against the running server; prints what it saw as one line of JSON.
import { InfisicalSDK } from "@infisical/sdk";

const [siteUrl, clientId, slug] = process.argv.slice(2);
const clientSecret = process.env.CLIENT_SECRET;
const seen = {};
const client = new InfisicalSDK({ siteUrl });
await client.auth().universalAuth.login({ clientId, clientSecret });
const first = client.auth().getAccessToken();
await client.auth().universalAuth.renew();
seen.renewed = client.auth().getAccessToken() !== first;

const project = await client.projects().create({ projectName: "Node", slug, type: "secret-manager", projectDescription: "" });
seen.project = [project.name, project.slug];
const qa = await client.environments().create({ name: "QA", projectId: project.id, slug: "qa", position: 1 });
seen.environment = [qa.name, qa.slug, qa.position];
const folder = await client.folders().create({ name: "api", path: "/", projectId: project.id, environment: "qa" });
seen.folder = [folder.name, folder.path];
seen.folders = (await client.folders().listFolders({ environment: "qa", projectId: project.id, path: "/", recursive: true })).map((each) => each.name);

const at = { projectId: project.id, environment: "qa", secretPath: "/api" };
const value = "line one\nline two é 大\n";
const { secret } = await client.secrets().createSecret("KEY/../1".replaceAll("/", "_"), { ...at, secretValue: "x" });
seen.awkward = secret.secretKey;
await client.secrets().createSecret("BASE", { ...at, secretValue: value, secretComment: "why" });
await client.secrets().createSecret("REFERS", { ...at, secretValue: "<${BASE}>", type: "shared" });
const read = await client.secrets().getSecret({ ...at, secretName: "REFERS" });
seen.expanded = read.secretValue;
const typed = await client.secrets().getSecret({ ...at, secretName: "REFERS", expandSecretReferences: false });
seen.typed = typed.secretValue;
const updated = await client.secrets().updateSecret("BASE", { ...at, secretValue: "short", newSecretName: "BASIS" });
seen.updated = [updated.secret.secretKey, updated.secret.version, updated.secret.secretComment];
const listed = await client.secrets().listSecrets(at);
seen.listed = listed.secrets.map((each) => [each.secretKey, each.secretValue]);
seen.below = (await client.secrets().listSecrets({ ...at, secretPath: "/", recursive: true })).secrets.map((each) => each.secretPath);

await fetch(`${siteUrl}/api/v1/secret-imports`, {
  method: "POST",
  headers: { authorization: `Bearer ${client.auth().getAccessToken()}`, "content-type": "application/json" },
  body: JSON.stringify({ workspaceId: project.id, environment: "dev", path: "/", import: { environment: "qa", path: "/api" } }),
});
const merged = await client.secrets().listSecretsWithImports({ projectId: project.id, environment: "dev", secretPath: "/" });
seen.merged = merged.map((each) => each.secretKey);
seen.imported = (await client.secrets().getSecret({ projectId: project.id, environment: "dev", secretName: "BASIS", includeImports: true })).secretValue;

const gone = await client.secrets().deleteSecret("REFERS", at);
seen.deleted = gone.secret.secretKey;
seen.errors = [];
for (const act of [
  () => client.secrets().getSecret({ ...at, secretName: "REFERS" }),
  () => client.secrets().createSecret("BASIS", { ...at, secretValue: "x" }),
  () => client.secrets().listSecrets({ ...at, environment: "nowhere" }),
  () => client.projects().inviteMembers({ projectId: project.id, emails: ["nobody@example.com"] }),
]) {
  try {
    await act();
    seen.errors.push("none");
  } catch (error) {
    seen.errors.push(error.message);
  }
}
console.log(JSON.stringify(seen));
