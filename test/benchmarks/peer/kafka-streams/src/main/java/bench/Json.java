package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The serdes of the topologies, on Jackson's streaming API. */
final class Json {
  private static final JsonFactory FACTORY = new JsonFactory();

  private Json() {}

  interface Body {
    void write(JsonGenerator generator) throws IOException;
  }

  static byte[] object(Body body) {
    // The builder's buffer is recycled by the thread.
    try (ByteArrayBuilder bytes = new ByteArrayBuilder(FACTORY._getBufferRecycler(), 128);
        JsonGenerator generator = FACTORY.createGenerator(bytes)) {
      generator.writeStartObject();
      body.write(generator);
      generator.writeEndObject();
      generator.flush();
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Serde<Payment> payment() {
    Deserializer<Payment> deserializer = (topic, bytes) -> bytes == null ? null : Payment.parse(bytes);
    return Serdes.serdeFrom((topic, payment) -> { throw new UnsupportedOperationException(); }, deserializer);
  }

  /** One line of the protocol with the harness. */
  static void event(String name, Map<String, ?> fields) {
    byte[] line = object(generator -> {
      generator.writeStringField("event", name);
      for (Map.Entry<String, ?> field : fields.entrySet()) {
        generator.writeFieldName(field.getKey());
        if (field.getValue() instanceof Long number) {
          generator.writeNumber(number);
        } else {
          generator.writeString(String.valueOf(field.getValue()));
        }
      }
    });
    System.out.println(new String(line, java.nio.charset.StandardCharsets.UTF_8));
  }
}
