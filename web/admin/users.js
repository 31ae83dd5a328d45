/** The table of the users for whom the most was relayed of late: a row for each place, as they change places often. */

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
    element.setAttribute("role", "row");
    const cells = COLUMNS.map((column, place) => {
      const cell = element.appendChild(document.createElement(place === 0 ? "th" : "td"));
      cell.setAttribute("role", place === 0 ? "rowheader" : "cell");
      if (place === 0) cell.scope = "row";
      // Names in scripts that run the other way do not turn the row around.
      if (place < 2) cell.dir = "auto";
      cell.dataset.column = column;
      cell.dataset.label = this.#labels[place];
      cell.classList.toggle("number", place >= 2);
      return [column, cell];
    });
    return { element, cells: Object.fromEntries(cells) };
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
