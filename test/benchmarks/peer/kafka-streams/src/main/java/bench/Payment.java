package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * An input record. Jackson's streaming parser is its fastest: field names are interned, and the text of a field that is
 * not asked for is never made into a String.
 */
record Payment(long id, String account, long amount) {
  private static final JsonFactory JSON = new JsonFactory();

  static Payment parse(byte[] json) {
    long id = 0;
    String account = null;
    long amount = 0;
    try (JsonParser parser = JSON.createParser(json)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("not an object");
      }
      for (String field = parser.nextFieldName(); field != null; field = parser.nextFieldName()) {
        parser.nextToken();
        switch (field) {
          case "id" -> id = parser.getLongValue();
          case "account" -> account = parser.getText();
          case "amount" -> amount = parser.getLongValue();
          default -> parser.skipChildren();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new Payment(id, account, amount);
  }
}
