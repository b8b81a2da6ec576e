// The handler that most publishers write: check the signature, look whether the transaction is known, credit the user, all
// in the request. Only for comparison in the benchmark `throughput -- table`.
import { createHmac } from "node:crypto";
import express from "express";
import pg from "pg";

const { DATABASE_URL, SECRET, ORIGIN } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
await pool.query(`
  CREATE TABLE IF NOT EXISTS naive_rewards (tx_id text PRIMARY KEY, user_id text, reward numeric, payout numeric, raw text,
                                            created_at timestamptz DEFAULT now());
  CREATE TABLE IF NOT EXISTS naive_users (user_id text PRIMARY KEY, balance numeric NOT NULL DEFAULT 0)`);

const app = express();
app.get("/pb/:source", async (request, response) => {
  const url = ORIGIN + request.originalUrl;
  const at = url.lastIndexOf("&hash=");
  const expected = createHmac("sha1", SECRET).update(url.slice(0, at + 6)).digest("hex");
  if (url.slice(at + 6) !== expected) return response.status(403).send("bad signature");
  const { user_id, tx_id, reward, payout } = request.query;
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const known = await client.query("SELECT 1 FROM naive_rewards WHERE tx_id = $1", [tx_id]);
    if (known.rowCount === 0) {
      await client.query(
        "INSERT INTO naive_rewards (tx_id, user_id, reward, payout, raw) VALUES ($1, $2, $3, $4, $5)",
        [tx_id, user_id, reward, payout, request.originalUrl],
      );
      await client.query(
        `INSERT INTO naive_users (user_id, balance) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET balance = naive_users.balance + excluded.balance`,
        [user_id, reward],
      );
    }
    await client.query("COMMIT");
    response.send("OK");
  } catch (error) {
    await client.query("ROLLBACK");
    response.status(500).send("error");
  } finally {
    client.release();
  }
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
