/** The table of the users for whom the most was relayed of late: a row for each place, as they change places often. */

import { addCells } from "./cells.js";
import { bitRate, duration, percent, size, visible, write } from "./words.js";

export class UserTable {
  #body = document.querySelector("#users tbody");
  #labels = [...document.querySelectorAll("#users thead th")].map((head) => head.textContent);
  #rows = [];

  /** Shows users, the biggest first. */
  show({ users, window_seconds: seconds }) {
    while (this.#rows.length > users.length) this.#rows.pop().element.remove();
    for (const [place, user] of users.entries()) {
      this.#rows[place] ??= this.#add();
      fill(this.#rows[place].cells, user, seconds);
    }
    write(document.getElementById("users-window"), duration(seconds));
    document.getElementById("no-user").hidden = users.length > 0;
  }

  #add() {
    const element = this.#body.appendChild(document.createElement("tr"));
    const cells = addCells(element, COLUMNS, this.#labels, NUMBERS, NAMES);
    return { element, cells };
  }
}

function fill(cells, { client, user_id: user, bytes, error_bytes: error, share }, seconds) {
  const name = visible(user);
  write(cells.user, name);
  write(cells.origin, visible(client));
  write(cells.relayed, size(bytes));
  write(cells.rate, seconds > 0 ? bitRate((bytes * 8) / seconds) : bitRate(null));
  write(cells.share, percent(share));
  cells.user.title = name;
  cells.relayed.title = error > 0 ? `${size(bytes)} to ${size(bytes + error)}` : "";
}

const COLUMNS = ["user", "origin", "relayed", "rate", "share"];
const NUMBERS = new Set(["relayed", "rate", "share"]);
const NAMES = new Set(["user", "origin"]);
